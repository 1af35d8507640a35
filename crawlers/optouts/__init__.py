"""Read the signals by which sites reserve their content, from headers, pages and files of a site."""
