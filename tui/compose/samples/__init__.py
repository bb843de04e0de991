"""Sample inputs: five documents, ten products, forty reviews, and templates for them and jobs."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""The folder of the samples."""

DOCUMENTS = FOLDER / "documents.txt"
"""Five short documents, separated by blank lines."""

PRODUCTS = FOLDER / "products.csv"
"""Ten products with sku, name, category, material, price and audience."""

REVIEWS = FOLDER / "reviews.csv"
"""Forty reviews with id, stars, lang, product and text; the sandbox fails four of them once."""

SUMMARIZE = FOLDER / "summarize.toml"
"""A template for the documents."""

MARKETING = FOLDER / "marketing.toml"
"""A template for the products."""
