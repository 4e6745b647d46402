"""Keeps the tables equal to the store: reads by admin_api, writes by warehouse."""
