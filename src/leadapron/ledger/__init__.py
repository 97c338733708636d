"""The tamper-evident log (存证日志): append, prove, checkpoint, fsck."""
