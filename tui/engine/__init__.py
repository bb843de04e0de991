"""The engine: import, submit, watch, collect, retry, cancel and recover batches.

The engine does all work and lives as long as the program; screens only observe it. It
publishes events and raises the errors of ``tui.errors``. ``Engine`` is its entry point.
"""
