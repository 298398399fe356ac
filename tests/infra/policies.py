"""Every policy of the template as a file that an IAM linter reads: ``python -m tests.infra.policies FOLDER``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from tapeline.deploy import stack

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "NamePrefix": "",
    "AWS::StackName": "tapeline",
}
SHAPES = {
    "AWS::DynamoDB::Table": "dynamodb:us-east-1:123456789012:table/{}",
    "AWS::Kinesis::Stream": "kinesis:us-east-1:123456789012:stream/{}",
    "AWS::Lambda::Function": "lambda:us-east-1:123456789012:function:{}",
    "AWS::Logs::LogGroup": "logs:us-east-1:123456789012:log-group:{}:*",
    "AWS::S3::Bucket": "s3:::{}",
    "AWS::SNS::Topic": "sns:us-east-1:123456789012:{}",
    "AWS::SQS::Queue": "sqs:us-east-1:123456789012:{}",
}
"""The ARN of a resource by its type, as the Service Authorization Reference spells it."""


class _Loader(yaml.SafeLoader):
    """Reads `!Ref Bucket` as {"Ref": "Bucket"} and `!Sub x` as {"Fn::Sub": "x"}."""


def _function(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt":
        value = value.split(".", 1)
    return {tag if tag == "Ref" else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _function)


def load_template(text: str = "") -> dict[str, Any]:
    """Return the template, or this text of one, its functions in the long form."""
    document: dict[str, Any] = yaml.load(text or stack.TEMPLATE.read_text(), _Loader)  # noqa: S506 (a safe loader)
    return document


def rendered(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each policy document, but for the roles' trust, by a name, with the ARNs that CloudFormation fills in."""
    found = {}
    for name, resource in template["Resources"].items():
        own = resource.get("Properties", {}) if isinstance(resource, dict) else {}
        documents = [policy["PolicyDocument"] for policy in own.get("Policies", [])]
        documents += [own["PolicyDocument"]] if "PolicyDocument" in own else []
        for number, document in enumerate(documents):
            found[f"{name}-{number}"] = _resolved(document, template["Resources"])
    return found


def _resolved(value: Any, resources: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [found for part in value if (found := _resolved(part, resources)) is not None]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return _named(value["Ref"], "Ref", resources)
    if set(value) == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        return _named(name, attribute, resources)
    if set(value) == {"Fn::Sub"}:
        return re.sub(
            r"\$\{([A-Za-z:]+)(?:\.(\w+))?\}", lambda m: _named(m[1], m[2] or "Ref", resources), value["Fn::Sub"]
        )
    if set(value) == {"Fn::If"}:
        return _resolved(value["Fn::If"][1], resources)
    return {key: _resolved(part, resources) for key, part in value.items()}


def _named(name: str, attribute: str, resources: dict[str, Any]) -> str:
    if name in PSEUDO:
        return PSEUDO[name]
    kind, short = resources[name]["Type"], name.lower()
    if attribute == "StreamArn":
        return f"arn:aws:{SHAPES[kind].format(short)}/stream/label"
    if attribute == "Arn" or kind == "AWS::SNS::Topic":
        return f"arn:aws:{SHAPES[kind].format(short)}"
    return short


def main(folder: Path) -> None:
    """Write one file for each policy."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in rendered(load_template()).items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
