"""Browser-side parts, a folder each, and what they share: all that Streamlit cannot do by itself."""
