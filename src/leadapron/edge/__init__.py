"""The fog gateway (前置网关): spool, de-identify, segment, seal, forward."""
