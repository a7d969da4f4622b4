-- What was taken and given back, by day and currency, in minor units. A payment that was given back before anybody had
-- heard of it is in no PaymentCompleted, and so its refund takes nothing off.
SELECT
    date AS day,
    data->>'$.currency' AS currency,
    count(*) FILTER (type = 'PaymentCompleted') AS payments,
    count(*) FILTER (type = 'PaymentRefunded') AS refunds,
    CAST(sum(CASE
        WHEN type = 'PaymentCompleted' THEN 1
        WHEN coalesce(CAST(data->>'$.announced' AS BOOLEAN), true) THEN -1
        ELSE 0
    END * CAST(data->>'$.amount' AS BIGINT)) AS BIGINT) AS revenue
FROM events
WHERE type IN ('PaymentCompleted', 'PaymentRefunded')
GROUP BY ALL
ORDER BY ALL
