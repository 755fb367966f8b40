"""Browser-side parts, a folder each: what Streamlit's own elements cannot do."""
