"""What Kinesis means by its errors, in words and with what to do."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

_REFUSED_RECORD = {"ValidationException", "InvalidArgumentException", "SerializationException"}
_MISSING_STREAM = {"ResourceNotFoundException"}
_NO_ACCESS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TooManyRequestsException",
}


def code_of(error: ClientError | BotoCoreError) -> str:
    """Return AWS's code, or the kind of an error that boto3 raises itself."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def is_of_a_record(error: ClientError | BotoCoreError) -> bool:
    """Return whether one of a call's records is to blame: it spoils the call for the others."""
    return code_of(error) in _REFUSED_RECORD or isinstance(error, ParamValidationError)


def next_step(error: ClientError | BotoCoreError, stream_name: str, region: str) -> str:
    """Return what a person can do about an error that waiting does not end; empty for any other."""
    code = code_of(error)
    if code in _MISSING_STREAM:
        return (
            f"There is no stream {stream_name} in {region}: deploy the stack (tapeline deploy) or name the "
            "stream with --stream."
        )
    if code in _NO_ACCESS or isinstance(error, (NoCredentialsError, PartialCredentialsError, NoRegionError)):
        return (
            f"These credentials may not write to {stream_name} in {region}: attach the policy that the "
            "stack's output ProducerPolicyArn names, or check AWS_PROFILE and AWS_DEFAULT_REGION."
        )
    return ""


def in_words(code: str) -> str:
    """Return a code as the log says it."""
    if code in _THROTTLED:
        return f"it is throttling, {code}"
    if code in _MISSING_STREAM:
        return "the stream is missing"
    if code in _NO_ACCESS:
        return f"access is refused, {code}"
    return code
