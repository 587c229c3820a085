// The objects of --json, byte by byte: other people's scripts read them.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "services/cli/commands.h"

namespace xundian::cli {
namespace {

template <typename Message>
Message from(const char* json) {
  Message message;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(parsed.ok()) << parsed.ToString();
  return message;
}

TEST(Golden, Import) {
  const auto result = from<v1::ImportFileResponse>(
      R"({"done":true,"importId":"12","files":[{"file":"订单.csv","format":"taobao.order_list","encoding":"gb18030",
    "rows":"3","facts":"2","new":"1","updated":"1","unchanged":"0","rejected":"1","rejectsFile":"/r.csv"}],
    "total":{"rows":"3","facts":"2","new":"1","updated":"1","rejected":"1"}})");
  EXPECT_EQ(
      import_json(result).text(),
      R"({"import":12,"files":[{"file":"订单.csv","format":"taobao.order_list","encoding":"gb18030","rows":3,"facts":2,"new":1,"updated":1,)"
      R"("unchanged":0,"rejected":1,"rejects_file":"/r.csv"}],"total":{"rows":3,"facts":2,"new":1,"updated":1,"unchanged":0,"rejected":1}})");
}

TEST(Golden, Metrics) {
  const std::vector<v1::MetricRow> rows = {
      from<v1::MetricRow>(
          R"({"store":"mall","from":"2026-11-11","metric":"paid_amount","value":"1234.50","numerator":"1234500000","unit":"money","currency":"CNY","status":"final"})"),
      from<v1::MetricRow>(
          R"({"store":"mall","from":"2026-11-11","metric":"conversion","value":0.125,"numerator":"1","denominator":"8","unit":"ratio","status":"provisional"})"),
      from<v1::MetricRow>(R"({"store":"mall","from":"2026-11-11","metric":"uv","value":null,"unit":"count","status":"final"})")};
  google::protobuf::Timestamp as_of;
  as_of.set_seconds(1'000);
  EXPECT_EQ(
      metrics_json(rows, &as_of, {"inventory"}).text(),
      R"({"as_of":"1970-01-01T00:16:40.000Z","missing":["inventory"],"rows":[)"
      R"({"store":"mall","key":"","from":"2026-11-11","metric":"paid_amount","value":"1234.50","numerator":1234500000,"denominator":null,"unit":"money","currency":"CNY","status":"final"},)"
      R"({"store":"mall","key":"","from":"2026-11-11","metric":"conversion","value":0.125,"numerator":1,"denominator":8,"unit":"ratio","currency":null,"status":"provisional"},)"
      R"({"store":"mall","key":"","from":"2026-11-11","metric":"uv","value":null,"numerator":null,"denominator":null,"unit":"count","currency":null,"status":"final"}]})");
  EXPECT_EQ(metrics_json({}, nullptr, {}).text(), R"({"as_of":null,"missing":[],"rows":[]})");
}

TEST(Golden, Status) {
  const auto status = from<v1::GetStatusResponse>(
      R"({"healthy":true,"services":[{"name":"metrics","healthy":true,"lagFacts":"5","started":"1970-01-01T00:00:01Z"}],
    "journal":{"engine":"lmdb","facts":"10","bytes":"4096","syncP50Us":"300","syncP99Us":"900","home":"h","clock":"wall"}})");
  EXPECT_EQ(
      status_json(status).text(),
      R"({"healthy":true,"services":[{"name":"metrics","instance":0,"healthy":true,"lag_facts":5,"started":"1970-01-01T00:00:01.000Z","skipped":0,"problem":""}],)"
      R"("journal":{"engine":"lmdb","facts":10,"bytes":4096,"sync_p50_us":300,"sync_p99_us":900,"disk_free_bytes":0,"disk_bytes":0,"home":"h","clock":"wall"}})");
}

TEST(Golden, Fingerprint) {
  const auto answer =
      from<v1::GetFingerprintResponse>(R"({"head":{"10":"7","2":"5"},"services":{"metrics":"ab","inventory":"cd"}})");
  EXPECT_EQ(fingerprint_json(answer).text(), R"({"head":{"2":5,"10":7},"services":{"inventory":"cd","metrics":"ab"}})");
}

TEST(Golden, Alert) {
  const auto alert = from<v1::Alert>(
      R"({"key":"k","rule":"out_of_stock","store":"mall","entityKind":"sku","entity":"mug","condition":"firing","handling":"open",
    "muting":"active","delivery":"delivered","severity":"high","since":"1970-01-01T00:00:01Z","changed":"1970-01-01T00:00:02Z","textZh":"没货","textEn":"Out of stock","next":"buy",
    "owner":"warehouse","evidence":{"value":0,"name":"mug"},"partition":3,"cause":"8","episode":1,"change":2})");
  Json json;
  write_alert(json, alert);
  EXPECT_EQ(
      json.text(),
      R"({"key":"k","rule":"out_of_stock","store":"mall","entity_kind":"sku","entity":"mug","condition":"firing","handling":"open","muting":"active",)"
      R"("delivery":"delivered","severity":"high","since":"1970-01-01T00:00:01.000Z","changed":"1970-01-01T00:00:02.000Z","text":"没货","text_en":"Out of stock",)"
      R"("next":"buy","owner":"warehouse","evidence":{"name":"mug","value":0},"partition":3,"cause":8,"episode":1,"change":2})");
}

TEST(Golden, RulesCheck) {
  const auto answer =
      from<v1::CheckRulesResponse>(R"({"rules":2,"errors":[{"line":3,"key":"severity","why":"\"loud\" is none"}]})");
  EXPECT_EQ(rules_check_json(answer.rules(), answer.errors()).text(),
            R"({"rules":2,"errors":[{"line":3,"key":"severity","why":"\"loud\" is none"}]})");
}

TEST(Golden, Report) {
  const auto report = from<v1::Report>(
      R"({"date":"2026-11-11","frozenAt":"1970-01-01T00:00:01Z","stores":["mall"],"sections":[{"id":"sales","titleZh":"销售","titleEn":"Sales",
    "service":"metrics","lines":[{"store":"mall","metric":"orders","definition":"orders@1","value":5,"numerator":"5","unit":"count","status":"final","from":"2026-11-11",
    "weekBefore":4,"change":0.25}]}],"missing":["support"],"restated":[{"section":"sales","store":"mall","metric":"orders","frozen":5,"now":6}]})");
  EXPECT_EQ(
      report_json(report).text(),
      R"({"date":"2026-11-11","frozen_at":"1970-01-01T00:00:01.000Z","stores":["mall"],"sections":[{"id":"sales","title_zh":"销售","title_en":"Sales","service":"metrics",)"
      R"("as_of":null,"lines":[{"store":"mall","key":"","from":"2026-11-11","metric":"orders","definition":"orders@1","value":5,"numerator":5,"denominator":null,)"
      R"("unit":"count","currency":null,"status":"final","week_before":4,"change":0.25}],"alerts":[]}],"missing":["support"],)"
      R"("restated":[{"section":"sales","store":"mall","key":"","metric":"orders","currency":"","frozen":5,"now":6}]})");
}

}  // namespace
}  // namespace xundian::cli
