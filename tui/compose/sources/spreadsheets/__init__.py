"""Rows from spreadsheets: Excel, OpenDocument, and the tables of web pages."""
