"""Allow-lists of SQL functions, one for each dialect.

They hold what computes from its arguments alone (and the clock, and chance). Left out, because they reach
past the statement: files, SQL from strings (``query_to_xml``, ``ts_stat``), catalogues and sizes,
sequences, settings, locks, transaction ids, backends and sleep. The lists are built by reading PostgreSQL
15's ``pg_proc`` and SQLite's ``pragma_function_list``; an application adds its own with a setting.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AGGREGATES = _names("avg count max min sum")

_WINDOW = _names(
    "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"
)

SQLITE_AGGREGATES = _AGGREGATES | _names(
    """group_concat json_group_array json_group_object jsonb_group_array jsonb_group_object median
    percentile percentile_cont percentile_disc string_agg total"""
)

SQLITE = (
    SQLITE_AGGREGATES
    | _WINDOW
    | _names(
        """abs acos acosh asin asinh atan atan2 atanh cast ceil ceiling char coalesce concat concat_ws
        cos cosh current_date current_time current_timestamp date datetime degrees exp floor format
        glob hex if ifnull iif instr json json_array json_array_length json_each json_error_position
        json_extract json_insert json_object json_patch json_pretty json_quote json_remove
        json_replace json_set json_tree json_type json_valid jsonb jsonb_array jsonb_each
        jsonb_extract jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set
        jsonb_tree julianday length like likelihood likely ln log log10 log2 lower ltrim max min mod
        nullif octet_length pi pow power printf quote radians random randomblob regexp replace round
        rtrim sign sin sinh soundex sqlite_version sqrt strftime substr substring subtype tan tanh time timediff
        trim trunc typeof unhex unicode unistr unistr_quote unixepoch unlikely upper zeroblob"""
    )
)

POSTGRESQL_AGGREGATES = _AGGREGATES | _names(
    """any_value array_agg bit_and bit_or bit_xor bool_and bool_or corr covar_pop covar_samp every
    json_agg json_agg_strict json_arrayagg json_object_agg json_object_agg_strict
    json_object_agg_unique json_object_agg_unique_strict json_objectagg jsonb_agg jsonb_agg_strict
    jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
    mode percentile_cont percentile_disc range_agg range_intersect_agg regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
    stddev_samp string_agg var_pop var_samp variance xmlagg"""
)

_POSTGRESQL_TEXT = _names(
    """ascii bit_count bit_length btrim casefold char_length character_length chr concat concat_ws
    convert convert_from convert_to decode encode format get_bit get_byte initcap is_normalized left
    length like like_escape lower lpad ltrim md5 normalize notlike octet_length overlay parse_ident
    position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like
    regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
    regexp_substr repeat replace reverse right rpad rtrim set_bit set_byte sha224 sha256 sha384
    sha512 similar_escape similar_to_escape split_part starts_with string_to_array string_to_table
    strpos substr substring textcat texteq textlen textlike textnlike to_ascii to_char to_date
    to_hex to_bin to_oct to_number to_timestamp translate trim unistr unicode_assigned upper crc32
    crc32c"""
)

_POSTGRESQL_MATH = _names(
    """abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd
    cosh cot cotd degrees div erf erfc exp factorial floor gcd greatest lcm least ln log log10
    min_scale mod numeric_div_trunc pi pow power radians random random_normal round scale sign sin
    sind sinh sqrt tan tand tanh trim_scale trunc width_bucket gamma lgamma"""
)

_POSTGRESQL_TIME = _names(
    """age clock_timestamp current_date current_time current_timestamp date_add date_bin date_part
    date_subtract date_trunc extract isfinite justify_days justify_hours justify_interval localtime
    localtimestamp make_date make_interval make_time make_timestamp make_timestamptz now overlaps
    statement_timestamp timeofday timezone transaction_timestamp"""
)

_POSTGRESQL_TYPES = _names(
    """bit bool box bpchar char cidr circle date datemultirange daterange float4 float8 inet int2 int4
    int4multirange int4range int8 int8multirange int8range interval line lseg macaddr macaddr8 money
    multirange name nummultirange numeric numrange path point polygon text time timestamp
    timestamptz timetz tsmultirange tsrange tstzmultirange tstzrange varbit varchar xml decimal"""
)

_POSTGRESQL_COLLECTIONS = _names(
    """array array_append array_cat array_dims array_fill array_length array_lower array_ndims
    array_position array_positions array_prepend array_remove array_replace array_reverse
    array_sample array_shuffle array_sort array_to_json array_to_string array_upper cardinality
    enum_first enum_last enum_range generate_series generate_subscripts isempty json_array
    json_array_elements json_array_elements_text json_array_length json_build_array
    json_build_object json_each json_each_text json_exists json_extract_path json_extract_path_text
    json_object json_object_keys json_populate_record json_populate_recordset json_query json_scalar
    json_serialize json_strip_nulls json_to_record json_to_recordset json_typeof json_value
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_concat jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path
    jsonb_each jsonb_each_text jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path
    jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
    jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query
    jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first
    jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset
    jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
    jsonb_typeof lower_inc lower_inf range_merge row row_to_json string_to_array to_json to_jsonb
    trim_array unnest upper_inc upper_inf"""
)

_POSTGRESQL_SEARCH = _names(
    """array_to_tsvector json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery
    querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank
    ts_rank_cd tsquery_phrase tsvector_to_array websearch_to_tsquery"""
)

_POSTGRESQL_OTHERS = _names(
    """abbrev area bound_box broadcast cast center coalesce collation current_database current_schema current_user
    diagonal diameter family gen_random_uuid grouping hash_array hash_record hashtext
    hashtextextended height host hostmask inet_merge inet_same_family isclosed ishorizontal isopen
    isparallel isperp isvertical masklen netmask network npoints nullif num_nonnulls num_nulls
    pclose pg_column_size pg_size_bytes pg_size_pretty pg_typeof popen radius session_user
    set_masklen slope treat uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 version width
    xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xmlattributes
    xmlcomment xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi xmlroot xmlserialize xpath
    xpath_exists"""
)

POSTGRESQL = (
    POSTGRESQL_AGGREGATES
    | _WINDOW
    | _POSTGRESQL_TEXT
    | _POSTGRESQL_MATH
    | _POSTGRESQL_TIME
    | _POSTGRESQL_TYPES
    | _POSTGRESQL_COLLECTIONS
    | _POSTGRESQL_SEARCH
    | _POSTGRESQL_OTHERS
)

SAFE = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
AGGREGATES = {"sqlite": SQLITE_AGGREGATES, "postgresql": POSTGRESQL_AGGREGATES}

_LOCKS = "Advisory locks are shared by all tenants; name the function as safe if that is meant"
_CHANNELS = "Channels are shared by all tenants; name the function as safe if that is meant"
_SEQUENCES = (
    "For an automatic id, leave the column out of the INSERT and read it with RETURNING. Other sequences count "
    "for all tenants together: if that is meant, name nextval as safe in TENANT_SAFE_FUNCTIONS"
)

HINTS = {
    "last_insert_rowid": "The row's address is not its id here: use cursor.lastrowid or RETURNING",
    "nextval": _SEQUENCES,
    "currval": "Read the id with RETURNING",
    "lastval": "Read the id with RETURNING",
    "setval": "Automatic ids are shared by tenants: leave them to the database",
    "pg_sleep": "Wait in the application",
    **dict.fromkeys(
        (
            f"pg_{way}advisory_{kind}lock{shared}"
            for way in ("", "try_")
            for kind in ("", "xact_")
            for shared in ("", "_shared")
        ),
        _LOCKS,
    ),
    "pg_advisory_unlock": _LOCKS,
    "pg_advisory_unlock_shared": _LOCKS,
    "pg_notify": _CHANNELS,
    "changes": "Use cursor.rowcount",
    "total_changes": "Use cursor.rowcount",
    "set_config": "Settings belong to the connection, which other tenants use next",
}
