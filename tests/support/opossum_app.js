// An application with a real circuit breaker before its provider, and a connector that makes it call the provider.
const http = require("http");
const CircuitBreaker = require("opossum");
const PrometheusMetrics = require("opossum-prometheus");
const { Gauge, Registry } = require("prom-client");

const env = process.env;

const ask = () =>
  new Promise((done, failed) => {
    const headers = { authorization: `Bearer ${env.CRM_KEY}`, "x-pid": String(process.pid), "x-half-open": String(breaker.halfOpen) };
    const asked = http.get(env.CRM_URL, { headers, agent: false }, (answer) => {
      answer.resume();
      answer.on("end", () => (answer.statusCode < 400 ? done() : failed(new Error(`crm answers ${answer.statusCode}`))));
    });
    asked.on("error", failed);
  });

const breaker = new CircuitBreaker(ask, {
  name: "crm",
  timeout: 5000,
  volumeThreshold: 4,
  errorThresholdPercentage: Number(env.CRM_THRESHOLD),
  resetTimeout: Number(env.CRM_RESET_MS),
});
const registry = new Registry();
new PrometheusMetrics({ circuits: [breaker], registry });
const percent = new Gauge({
  name: "crm_failure_percent",
  help: "Of the calls that it let pass, when it opened last",
  labelNames: ["name"],
  registers: [registry],
});
breaker.on("open", () => {
  const { failures, fires, rejects } = breaker.stats;
  percent.set({ name: "crm" }, (100 * failures) / Math.max(1, fires - rejects));
});

const fire = () => breaker.fire().then(() => 202, () => 502);
if (Number(env.TRAFFIC_MS)) setInterval(fire, Number(env.TRAFFIC_MS));

http
  .createServer(async (request, response) => {
    if (request.url === "/metrics") {
      response.end(await registry.metrics());
    } else if (request.method === "POST" && request.url === "/v1/connectors/crm/sync") {
      response.statusCode = request.headers.cookie === `session=${env.SESSION}` ? await fire() : 401;
      response.end();
    } else if (request.url === "/v1/connectors" && request.headers.cookie === `session=${env.SESSION}`) {
      response.end(JSON.stringify([{ name: "crm", state: breaker.opened ? "waiting" : "synced" }]));
    } else {
      response.statusCode = 404;
      response.end();
    }
  })
  .listen(Number(env.PORT), "127.0.0.1");
