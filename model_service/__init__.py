"""What a release is (`model`) and the service that answers with it (`service`)."""
