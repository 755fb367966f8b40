"""What the pages that look inside a model show, a module a page, and what they share."""
