"""The one error that a user can mend.

    InputError            what was given can't be used; the message says why and what to do
    ├── DatasetError      data.dataset: a folder of calls is missing or damaged
    ├── LeakError         data.known: a feature that could only be known after dispatch
    ├── EidoError         data.sources.eido: what is no EIDO that can be used
    ├── MappingError      data.sources.cad: a mapping, or a file that does not fit it
    ├── PlanError         model_service.model.plan: a response plan
    ├── ReleaseError      model_service.model.release: a release is missing, damaged or not trusted
    └── ConfigError       training.config: a training configuration

The command line prints the message as one line and exits with 2. No message holds a narrative.
"""


class InputError(ValueError):
    """What was given can't be used; the message is one line that says what to do."""
