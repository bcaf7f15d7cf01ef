"""Features of whole datasets, computed once by a frozen network and kept in files."""
