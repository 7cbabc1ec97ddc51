"""SpaceSettings: what a Space's owner decides, from settings.json beside app.py; how much one visitor may ask for, among it."""

from pathlib import Path
from typing import Annotated

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hf_ctxscale.config_errors import sentences
from hf_ctxscale.study import UserError

SETTINGS_FILE = "settings.json"


def _hub_id(value: str) -> str:
    try:
        validate_repo_id(value)
    except HFValidationError:
        raise ValueError(f"{value!r} is no id of the Hub; write it as OWNER/NAME") from None
    return value


HubId = Annotated[str, AfterValidator(_hub_id)]
PositiveInt = Annotated[int, Field(gt=0)]


class Limits(BaseModel):
    """How much one visitor may ask for, so that a free CPU serves all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text_characters: PositiveInt = 8_000  # of a text that is read along
    text_tokens: PositiveInt = 1_024
    reading_seconds: PositiveInt = 60  # of one model over one text
    readings_per_minute: PositiveInt = 12  # of one visitor
    model_megabytes: PositiveInt = 1_000  # of a model that is not listed, where any may be named
    uploads_per_minute: PositiveInt = 6  # of one visitor; fetching from the Hub counts too
    upload_megabytes: PositiveInt = 50  # of a file, and of what is fetched from the Hub in all
    unpacked_megabytes: PositiveInt = 200  # of a zip file
    upload_seconds: PositiveInt = 120  # to fetch, check and analyse what a visitor gives


class SpaceSettings(BaseModel):
    """What is shown, and what may be loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    results: HubId | None = None  # the dataset whose results are shown; None: those beside app.py
    results_revision: str | None = None  # its commit, branch or tag
    models: tuple[HubId, ...] = ()  # that Read along lists beside the checkpoints of the Space
    any_model: bool = False  # whether visitors may load any model of the Hub, within the limits; never its code
    limits: Limits = Limits()


def load_settings(folder: Path) -> SpaceSettings:
    """The settings of a Space's folder; every default where it has no settings.json.

    Raises:
        UserError: the file is not JSON, or holds a key or a value that is not allowed; every mistake is listed.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        return SpaceSettings()
    try:
        return SpaceSettings.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        errors = error.errors()
        if errors[0]["type"] == "json_invalid":
            raise UserError(f"{str(path)!r} is not JSON: {errors[0]['ctx']['error']}; mend it, or remove it for every default.") from None
        raise UserError("\n".join(sentences(errors, model=SpaceSettings, source=SETTINGS_FILE))) from None
