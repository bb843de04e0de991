"""Servers that behave as public reports say. A new report is one module with a class and a test.

The class changes ``provider.Provider`` where the reported server differs; the test runs commands.
"""
