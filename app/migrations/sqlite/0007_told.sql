-- Nothing: SQLite tells nobody of changes. Whoever shares its file looks into it from time to time.
SELECT 1;
