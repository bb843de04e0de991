"""The verbs: import, submit, watch, collect, retry, cancel, recover.

The engine owns all work and lives as long as the program; screens only observe it. It talks
in events and raises the errors of ``tui.errors``. ``Engine`` is the way in.
"""
