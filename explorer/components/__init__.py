"""Browser-side parts, a folder each, and what they share: what Streamlit cannot do by itself."""
