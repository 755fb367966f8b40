"""Everything that knows Streamlit and Plotly; never imports PyTorch."""
