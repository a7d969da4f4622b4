-- What was taken and given back, by day and currency, in minor units.
SELECT
    date AS day,
    data->>'$.currency' AS currency,
    count(*) FILTER (type = 'PaymentCompleted') AS payments,
    count(*) FILTER (type = 'PaymentRefunded') AS refunds,
    CAST(sum(CASE type WHEN 'PaymentCompleted' THEN 1 ELSE -1 END * CAST(data->>'$.amount' AS BIGINT)) AS BIGINT) AS revenue
FROM events
WHERE type IN ('PaymentCompleted', 'PaymentRefunded')
GROUP BY ALL
ORDER BY ALL
