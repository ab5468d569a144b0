"""Which of the known providers a call may go to: rules in Dubbo's format, from the YAML and from registries."""
