"""The network: a frontal chest film in, region masks out."""
