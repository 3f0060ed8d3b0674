"""Many machines: cameras and archives spread over a Ray cluster. Ray is imported in `engine.py` alone, when used."""
