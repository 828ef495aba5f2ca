// Runs queries in ClickHouse's engine, and prints the rows of the last one, a JSON object each. The
// queries are the first argument, each but the last ends with ; at the end of a line. The tests of
// utrace export ask it what another engine reads in the files.
import chdb from "chdb";

const session = new chdb.Session();
try {
  let rows = "";
  for (const query of process.argv[2].split(/;\s*\n/)) {
    if (query.trim() !== "") {
      rows = session.query(query, "JSONEachRow");
    }
  }
  process.stdout.write(rows);
} catch (error) {
  console.error("clickhouse:", error.message);
  process.exitCode = 1;
} finally {
  session.cleanup();
}
