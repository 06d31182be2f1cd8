"""Helpers of the client conformance suite: the server process, raw requests, the recorder."""
