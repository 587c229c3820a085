// Cells in all the ways that platforms write them.
#include "services/intake/formats/cells.h"

#include "services/intake/formats/mapping.h"
#include "services/intake/formats/mask.h"
#include "tests/intake/import_case.h"

namespace xundian::intake {

namespace {

TEST(Cells, AreCleaned) {
  EXPECT_EQ(clean("=\"35153131473293579\""), "35153131473293579");
  EXPECT_EQ(clean("\t6917926768823643751"), "6917926768823643751");
  EXPECT_EQ(clean("'13800000000"), "13800000000");
  EXPECT_EQ(clean("=\"\""), "");
  EXPECT_EQ(clean("''"), "");
  EXPECT_EQ(clean("\xef\xbb\xbf 订单 \xe3\x80\x80"), "订单");
  for (const char* nothing : {"", "-", "--", "NULL", "n/a", "Null", "无退款申请", "没有申请退款", "#REF!"})
    EXPECT_TRUE(is_nothing(nothing)) << nothing;
  for (const char* something : {"0", "无", "N95", "#1001"}) EXPECT_FALSE(is_nothing(something)) << something;
}

TEST(Cells, ColumnNames) {
  EXPECT_EQ(column_name("订单付款时间 "), column_name("\"订单付款时间\""));
  EXPECT_EQ(column_name("领劵数"), column_name("领券数"));
  EXPECT_EQ(column_name("动帐流水号"), column_name("动账流水号"));
  EXPECT_EQ(column_name("商品ID"), column_name("商品id"));
  EXPECT_EQ(column_name("花费（分）"), "花费(分)");
  EXPECT_EQ(bare_name("花费(分)"), "花费");
  EXPECT_EQ(micros_of_unit("花费(分)"), 10'000);
  EXPECT_EQ(micros_of_unit("花费(厘)"), 1'000);
  EXPECT_EQ(micros_of_unit("花费"), 1'000'000);
}

TEST(Cells, Money) {
  for (const auto& [text, micros] : std::vector<std::pair<const char*, int64_t>>{{"￥14,414.00", 14'414'000'000},
                                                                                 {"¥1", 1'000'000},
                                                                                 {"12.00元", 12'000'000},
                                                                                 {"0元", 0},
                                                                                 {"-13.80", -13'800'000},
                                                                                 {"-￥2", -2'000'000},
                                                                                 {"1.429999948", 1'430'000},
                                                                                 {"1.5E-2", 15'000},
                                                                                 {"0.30000000000000004", 300'000},
                                                                                 {"1.2万", 12'000'000'000}})
    EXPECT_EQ(parse_money(text).value_or(-1), micros) << text;
  EXPECT_EQ(*parse_money("1234", 10'000), 12'340'000);
  for (const char* none : {"", "abc", "1.2.3", "12元5", "1e400"}) EXPECT_FALSE(parse_money(none).has_value()) << none;
}

TEST(Cells, CountsDurationsRatios) {
  EXPECT_EQ(*parse_count("7,350"), 7350);
  EXPECT_EQ(*parse_count("55万"), 550'000);
  EXPECT_EQ(*parse_count("3.2k"), 3200);
  EXPECT_EQ(*parse_count("5.0"), 5);
  EXPECT_FALSE(parse_count("5.5").has_value());
  EXPECT_EQ(*parse_duration("11秒"), 11'000);
  EXPECT_EQ(*parse_duration("2分30秒"), 150'000);
  EXPECT_EQ(*parse_duration("7小时41分52秒"), 27'712'000);
  EXPECT_EQ(*parse_duration("00:02:30"), 150'000);
  EXPECT_EQ(*parse_duration("12.5"), 12'500);
  EXPECT_EQ(*parse_ratio("0.45%"), 4500);
  EXPECT_EQ(*parse_ratio("0.03331"), 33'310);
}

TEST(Cells, Ids) {
  EXPECT_EQ(*parse_id("17850.0", "id"), "17850");
  EXPECT_EQ(*parse_id("260517-607198974342268", "id"), "260517-607198974342268");
  EXPECT_EQ(*parse_id("85123E", "id"), "85123E");
  for (const char* damaged : {"3.51531E+16", "3.5153131473290001e+16", "4E+17"})
    EXPECT_FALSE(parse_id(damaged, "id").has_value()) << damaged;
  EXPECT_TRUE(looks_rounded("3515313147329000000"));
  EXPECT_FALSE(looks_rounded("3515313147329000001"));
}

TEST(Cells, Times) {
  const Zone shanghai = *Zone::find("Asia/Shanghai");
  TimeParser ymd(shanghai, DateOrder::ymd, -25569), dmy(*Zone::find("UTC"), DateOrder::dmy, -25569),
      mdy(*Zone::find("America/New_York"), DateOrder::mdy, -25569);
  const Millis time = 1'499'445'752'000;
  for (const char* text : {"2017-07-08 00:42:32", "2017/7/8 0:42:32", "2017年7月8日 0时42分32秒", "20170708004232",
                           "2017-07-07T16:42:32Z", "1499445752", "2017-07-08T00:42:32.000+08:00", "2017-07-07 16:42:32 +0000",
                           "1499445752000", "Fri Jul 07 16:42:32 +0000 2017", "42924.0295370370"})
    EXPECT_EQ(ymd.parse(text).value_or(-1), time) << text;
  for (const char* text : {"2017-07-08", "2017/7/8", "20170708", "42924", "2017.7.8"})
    EXPECT_EQ(ymd.parse(text).value_or(-1), time - 2'552'000) << text;
  EXPECT_EQ(*ymd.parse("2017/7/8 0:42"), time - 32'000);
  EXPECT_EQ(*dmy.parse("31-08-2023"), 1'693'440'000'000);
  EXPECT_EQ(*mdy.parse("9/14/2014"), 1'410'667'200'000);
  EXPECT_EQ(*mdy.parse("06/01/2020 1:05 PM"), 1'591'031'100'000);
  EXPECT_EQ(*mdy.parse("3/9/2014 3:30"), 1'394'350'200'000);  // The day on which the clock jumps.
  EXPECT_EQ(*mdy.parse("3/9/2014 1:30"), 1'394'346'600'000);
  for (const char* none : {"", "yesterday", "2017-13-01", "2017-02-30", "2017-07-08 25:00:00", "2017-07-08 10:00:00 tea"})
    EXPECT_FALSE(ymd.parse(none).has_value()) << none;
  EXPECT_EQ(time_in_name("ExportOrderList202608111558.csv", shanghai).value_or(0), 1'786'435'080'000);
  EXPECT_EQ(time_in_name("1791430000_new.csv", shanghai).value_or(0), 1'791'430'000'000);
  EXPECT_EQ(time_in_name("流量来源-2017-11-12_2017-11-13.xls", shanghai).value_or(0), 1'510'502'400'000);
  for (const char* none : {"orders.csv", "2010-12.csv.gz", "ExportOrderList269.csv", "20269999.csv"})
    EXPECT_FALSE(time_in_name(none, shanghai)) << none;
}

TEST(Cells, PeopleAreMasked) {
  EXPECT_EQ(mask_text("call 13812345678, or ann.b@example.com now"), "call ***, or *** now");
  EXPECT_EQ(mask_text("35153131473290001"), "35153131473290001");
  for (const char* name :
       {"收货人姓名", "收货地址 ", "联系手机", "买家会员名", "Email", "Shipping Street", "买家留言", "CustomerID", "发票抬头"})
    EXPECT_TRUE(is_personal_column(column_name(name))) << name;
  for (const char* name : {"订单编号", "总金额", "Name", "Lineitem name", "店铺名称", "宝贝标题", "Country"})
    EXPECT_FALSE(is_personal_column(column_name(name))) << name;
  EXPECT_EQ(mask_row({"1", "王某", "a,b"}, {false, true, false}, true), "1,***,\"a,b\"");
  EXPECT_EQ(mask_row({"1", "王某", "Ann Lee", "2020-01-01 10:00"}, {}, false), "1,***,***,2020-01-01 10:00");
}

TEST(Mappings, MistakesAreNamedWithTheirLines) {
  const std::string sound =
      "format = \"x\"\nplatform = \"other\"\ntime_zone = \"UTC\"\n[[record]]\nkind = \"order\"\n[record.columns]\nkey = \"id\"\n";
  EXPECT_TRUE(parse_mapping(sound, "m.toml").has_value());
  const auto why = [](const std::string& toml) {
    const auto mapping = parse_mapping(toml, "m.toml");
    return mapping ? std::string() : mapping.error().message;
  };
  EXPECT_EQ(why(sound + "crated = \"time\"\n"), "m.toml:8: record.columns.crated is not known; did you mean \"created\"?");
  EXPECT_NE(why("platfrom = \"a\"\n" + sound).find("did you mean \"platform\"?"), std::string::npos);
  EXPECT_NE(why("format = \"x\"\nplatform = \"other\"\ntime_zone = \"Asia/Shangai\"\n" + sound.substr(sound.find("[[record]]")))
                .find("m.toml:3: time_zone"),
            std::string::npos);
  EXPECT_NE(why(sound + "[[record]]\nkind = \"ordr\"\n").find("did you mean \"order\"?"), std::string::npos);
  EXPECT_NE(why(sound + "[[record]]\nkind = \"skip\"\nwhen = [\"id resembles 5\"]\n").find("is no condition"), std::string::npos);
  EXPECT_NE(why("format = \"x\"\nplatform = \"other\"\ntime_zone = \"UTC\"\n[[record]]\nkind = \"stock_level\"\n")
                .find("say nothing of sku"),
            std::string::npos);
  EXPECT_GE(built_in_mappings().size(), 20u);
}

}  // namespace

}  // namespace xundian::intake
