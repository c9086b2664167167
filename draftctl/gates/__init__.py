"""The safety gates, in the order in which they speak. A new gate is one file here, one line in the list, and its cases in tests/gates."""

from draftctl.gates import (
    coercion,
    duplicate,
    explicit,
    identity,
    language,
    legal_threat,
    minor,
    opt_out,
    payment,
    personal_data,
    placeholder,
    price,
    repetition,
    self_harm,
    services,
    think_leak,
    threat,
    unscreened_commitment,
)
from draftctl.gates.base import Gate
from draftctl.models import canonical_json, sha256_text

GATES: tuple[Gate, ...] = (
    minor.GATE,
    coercion.GATE,
    self_harm.GATE,
    threat.GATE,
    legal_threat.GATE,
    opt_out.GATE,
    identity.GATE,
    personal_data.GATE,
    price.GATE,
    services.GATE,
    payment.GATE,
    explicit.GATE,
    think_leak.GATE,
    placeholder.GATE,
    repetition.GATE,
    unscreened_commitment.GATE,
    language.GATE,
    duplicate.GATE,
)

RULESET = sha256_text(canonical_json([[gate.name, gate.version] for gate in GATES]))[:16]
