"""The paper's own field (eq. 1 to 5, after AD-NeRF): what the fast one is measured against."""
