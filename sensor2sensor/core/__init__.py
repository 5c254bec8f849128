"""Ground floor: errors, atomic files, manifests, seeds, command line, parallel map."""
