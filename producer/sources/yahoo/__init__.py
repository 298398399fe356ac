"""yahoo"""
