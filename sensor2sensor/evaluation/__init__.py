"""Evaluation of predictors and baselines on the test split."""
