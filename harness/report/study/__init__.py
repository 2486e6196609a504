"""The page, tables and figure of a study."""
