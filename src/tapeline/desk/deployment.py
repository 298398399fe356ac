"""The deployment that the desk shows."""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.aws.clients import Session
from tapeline.deploy.stack import StackOutputs


@dataclass(frozen=True, slots=True)
class Deployment:
    """Clients and names of one deployment; safe to share between threads."""

    session: Session
    outputs: StackOutputs
