"""Pages that need nothing else: one style, drawings as SVG, tables, sections, one HTML file.

The report of evaluations, the quality pages of tiles and data sets and the contact sheet are made
of these.
"""
