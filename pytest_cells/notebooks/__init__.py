"""Reading notebooks: files in, frozen `Notebook` values out."""
