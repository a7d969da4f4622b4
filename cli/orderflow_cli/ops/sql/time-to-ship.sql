-- How long it took from placed to shipped, by the day of shipping, in seconds.
WITH shipped AS (
    SELECT date AS day, epoch(time) - epoch(CAST(data->>'$.placed_at' AS TIMESTAMPTZ)) AS seconds
    FROM events
    WHERE type = 'ShipmentCreated'
)
SELECT
    day,
    count(*) AS orders,
    round(quantile_cont(seconds, 0.5), 3) AS p50_seconds,
    round(quantile_cont(seconds, 0.95), 3) AS p95_seconds,
    round(max(seconds), 3) AS slowest_seconds
FROM shipped
GROUP BY day
ORDER BY day
