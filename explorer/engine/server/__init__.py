"""What runs in the web server: plain values and arrays only, never PyTorch."""
