"""What people read of a session or a week: mails, pages and plots."""
