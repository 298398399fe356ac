from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from moto import mock_aws

from .deployment import Deployment, load_handler

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "Tapeline",
    "TABLE_NAME": "data",
    "STATE_TABLE_NAME": "state",
    "BUCKET_NAME": "tapeline-test",
    "ALERT_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:Stock_TrendAlerts",
}


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def processor(module_patch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with mock_aws():
        module = load_handler("stream_processor", ENVIRONMENT, module_patch)
        module_patch.setattr("tapeline.stream.tables.FIRST_PAUSE_SECONDS", 0.0)
        yield module


@pytest.fixture
def deploy(processor: ModuleType) -> Callable[[], Deployment]:
    return lambda: Deployment(processor)
