"""What one training run is: a YAML file, checked."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data.document import Day, DocumentError, first_mistake, read_document
from data.errors import InputError
from data.known import refuse_later
from model_service.model.features import CONCEPTS, FeatureSettings
from model_service.model.scorer import HISTORY


class ConfigError(InputError):
    """A training configuration that can't be used."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Cut = Annotated[float, Field(gt=0, lt=1)] | Day


class SplitSettings(_Part):
    """Where validation and test begin: a day, or a share of the calls in time order."""

    validation_from: Cut
    test_from: Cut


class SearchSettings(_Part):
    """What is tried; validation calls choose (average precision, the mean of both heads)."""

    C: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)]
    weights: dict[
        str, Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)]
    ] = Field(
        default_factory=dict,
        description="Feature → scales to try, besides those fixed in features.weights.",
    )


class TrainingConfig(_Part):
    """One training run."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)
    title: str
    data: str = Field(description="Where the calls come from, in words, for the card.")
    warning: str = Field(description="What stands at the head of the card and on the page.")
    features: FeatureSettings
    forget: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the training calls that are learned from without their metadata.",
    )
    split: SplitSettings
    search: SearchSettings
    plan: str = Field(description="A shipped response plan, or the path of one.")
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _refuse_later(cls, given: Any) -> Any:
        """Refuse by name what is known only after dispatch, before anything else is looked at."""
        if isinstance(given, dict):
            refuse_later(_features(given), "features")
        return given

    @model_validator(mode="after")
    def _check(self) -> Self:
        named = {text.column for text in self.features.texts} | set(self.features.categories)
        if self.features.concepts is not None:
            named.add(CONCEPTS)
        if self.features.history is not None:
            named.add(HISTORY)
        unknown = sorted(set(self.search.weights) - named)
        if unknown:
            raise ValueError(f"search.weights names what is no feature: {', '.join(unknown)}")
        return self


def _features(document: dict[str, Any]) -> list[str]:
    """Name whatever a document calls a feature, however ill-formed the rest of it is."""
    features, search = document.get("features"), document.get("search")
    names: list[Any] = []
    if isinstance(features, dict):
        for text in features.get("texts") or ():
            names.append(text.get("column") if isinstance(text, dict) else text)
        for key in ("categories", "weights"):
            names += list(features.get(key) or ())
    if isinstance(search, dict):
        names += list(search.get("weights") or ())
    return [name for name in names if isinstance(name, str)]


def load_config(name: str) -> TrainingConfig:
    """Read a configuration: a file, or the name of one that the project ships.

    Raises
    ------
    ConfigError
        If there is none, or it can't be used; the message names the field.
    """
    shipped = resources.files("training") / "configs" / f"{name}.yaml"
    try:
        if shipped.is_file():
            text = shipped.read_text(encoding="utf-8")
        else:
            text = Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ConfigError(
            f"no training configuration {name!r}: neither a file nor a shipped one"
        ) from None
    try:
        document = read_document(text)
    except DocumentError as error:
        raise ConfigError(f"{name}: {error}") from None
    try:
        return TrainingConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{name}: {first_mistake(error, 'the configuration')}") from None
