"""Readers of Sentinel-2 SAFE and Sentinel-3 SEN3 products, in folders or zip archives."""
