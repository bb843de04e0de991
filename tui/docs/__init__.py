"""The pages of help that the package ships, their order, and a search in them."""
