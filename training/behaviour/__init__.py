"""Behavioural tests of a release: written cases that a person can read and argue with.

Three kinds, each in a YAML file of its own beside this one:

- `must_have`: plain calls whose target must be seen, and plain everyday calls that must be neither;
- `invariance`: pairs that mean the same, for which the same must be recommended;
- `direction`: pairs in which something is added or changed that must, or must not, move a target.

The cases are independent of the model: written without its list of concepts, its scenario families
or any data. Nothing is trained on them, and no phrase is added to the model because a case holds
it; a case is mended only where it is wrong about the world.
"""

from training.behaviour.cases import KINDS, Case, read_cases
from training.behaviour.runner import GOALS, missed, run

__all__ = ["GOALS", "KINDS", "Case", "missed", "read_cases", "run"]
