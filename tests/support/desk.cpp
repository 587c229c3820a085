#include "tests/support/desk.h"

namespace xundian::support {

v1::Fact message(const Said& said) {
  v1::Fact fact;
  fact.set_store("s1");
  fact.set_key(said.id);
  fact.set_as_of_ms(start + said.at * second_ms);
  fact.set_occurred_ms(start + said.at * second_ms);
  v1::ChatLine& line = *fact.mutable_chat_message()->mutable_line();
  line.set_sent_ms(start + said.at * second_ms);
  v1::AuthorKind author = v1::AUTHOR_KIND_UNSPECIFIED;
  EXPECT_TRUE(v1::AuthorKind_Parse("AUTHOR_KIND_" + said.author, &author)) << said.author;
  line.set_author(author);
  line.set_conversation(said.conversation);
  line.set_reply_to(said.reply_to);
  line.set_agent(said.agent);
  line.set_buyer(said.buyer);
  return fact;
}

Desk1::Desk1() {
  drive.put(start - 30 * day_ms,
            R"(store: "s1" key: "s1" store_state { identity { platform: "taobao" } settings { currency_code: "CNY"
                                    time_zone: "Asia/Shanghai" } })");
}

void Desk1::pay(Millis time, const std::string& order, uint64_t buyer) {
  drive.put(time,
            fmt::format(R"(store: "s1" key: "{}" order_state {{ placed {{ created_ms: {} buyer: {} }} paid {{ paid_ms: {} }} }})",
                        order, time, buyer, time));
}

std::vector<std::string> Desk1::findings(const std::vector<v1::Fact>& said) {
  std::vector<std::string> lines;
  for (const v1::Fact& fact : said) {
    const v1::FindingTerms& terms = fact.finding().terms();
    lines.push_back(fmt::format("{} {} {}", terms.rule(), terms.entity(), terms.holds() ? "holds" : "clears"));
  }
  return lines;
}

std::string Desk1::ask(const std::string& metric, const std::string& by, const std::string& grain, const std::string& from,
                       const std::string& to) {
  std::string rows = rows_of(drive, metric, by, grain, from, to);
  std::erase(rows, '~');
  return rows;
}

std::string rows_of(tests::Drive& drive, const std::string& metric, const std::string& by, const std::string& grain,
                    const std::string& from, const std::string& to) {
  query::v1::QueryMetricsRequest request;
  request.add_metrics(metric);
  request.set_by(by);
  request.set_grain(grain);
  request.set_from(from);
  request.set_to(to);
  const auto answer = definition().answer({drive.folds(), 1}, "QueryMetrics", request.SerializeAsString());
  query::v1::QueryMetricsResponse response;
  EXPECT_TRUE(answer && response.ParseFromString(*answer)) << (answer ? "" : answer.error().message);
  std::string rows;
  for (const query::v1::MetricRow& row : response.rows()) {
    if (!rows.empty()) rows += " ";
    rows += fmt::format("{}|{}|{}|{}", row.store(), row.key(), row.from(), row.numerator());
    if (row.has_denominator()) rows += fmt::format("/{}", row.denominator());
    rows += row.status() == "final" ? "" : "~";
  }
  return rows;
}

}  // namespace xundian::support
