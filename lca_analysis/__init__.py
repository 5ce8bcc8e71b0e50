"""Loss Change Allocation: see what every parameter did to the loss."""
