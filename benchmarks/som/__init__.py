"""The benchmark of SOM training and assignment against installed peers; see README.md in this folder."""
