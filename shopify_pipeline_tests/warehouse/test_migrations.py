"""The migrations on real servers: what they make, for whom, and beside what is there already."""

import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from shopify_pipeline.warehouse.migrations import FOLDER, MigrationError, migrate

TABLES = (
    "shopify_products",
    "shopify_product_variants",
    "shopify_customers",
    "shopify_orders",
    "shopify_order_items",
)
DESIGN = Path(__file__).resolve().parents[3] / "shared" / "reference" / "tables.md"


def as_role(url: str, role: str, password: str | None = None) -> str:
    """The URL with another user."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = role if password is None else f"{role}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))


@pytest.fixture
def owned_database(empty_database: str) -> Iterator[str]:
    """A database whose owner is no superuser and may create no roles."""
    role = f"owner_{uuid.uuid4().hex[:8]}"
    name = urlsplit(empty_database).path[1:]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'geheim'").format(sql.Identifier(role))
        )
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(name), sql.Identifier(role)
            )
        )
    yield as_role(empty_database, role, "geheim")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for statement in (
            "REASSIGN OWNED BY {} TO CURRENT_USER",
            "DROP OWNED BY {}",
            "DROP ROLE {}",
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def tables_of(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        return {row[0] for row in found}


def test_an_empty_database_is_migrated_and_a_second_time_changes_nothing(
    empty_database: str,
) -> None:
    assert migrate(empty_database) == sorted(path.name for path in FOLDER.glob("*.sql"))
    assert migrate(empty_database) == []
    assert {*TABLES, "unified_profiles"} <= tables_of(empty_database)


def test_two_migrations_at_once_both_succeed(empty_database: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(empty_database))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(applied) == 3
    assert sum(map(len, applied)) == len(list(FOLDER.glob("*.sql")))


def test_an_owner_without_other_rights_can_migrate_and_sees_its_rows(owned_database: str) -> None:
    migrate(owned_database)
    with psycopg.connect(owned_database) as connection:
        connection.execute("SET row_security = off")
        connection.execute("INSERT INTO shopify_products (shopify_product_id) VALUES (1)")
        assert connection.execute("SELECT count(*) FROM shopify_products").fetchone() == (1,)


def test_profiles_that_are_there_stay_as_they_are(owned_database: str) -> None:
    emails = ["A@x.example", "a@X.example", " a@x.example ", "a@x.example", "", None]
    with psycopg.connect(owned_database) as connection:
        connection.execute(
            "CREATE TABLE unified_profiles"
            " (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text, phone text, score int)"
        )
        for number, email in enumerate(emails):
            connection.execute(
                "INSERT INTO unified_profiles (email, score) VALUES (%s, %s)", [email, number]
            )
    migrate(owned_database)
    with psycopg.connect(owned_database) as connection:
        found = connection.execute("SELECT email, score FROM unified_profiles ORDER BY score")
        assert found.fetchall() == [(email, number) for number, email in enumerate(emails)]
        connection.execute(
            "INSERT INTO shopify_customers (shopify_customer_id, unified_profile_id)"
            " SELECT score, id FROM unified_profiles"
        )
        connection.execute("DELETE FROM unified_profiles WHERE score = 0")
        held = connection.execute(
            "SELECT shopify_customer_id FROM shopify_customers WHERE unified_profile_id IS NULL"
        )
        assert held.fetchall() == [(0,)]
        rls = connection.execute(
            "SELECT relrowsecurity FROM pg_class WHERE oid = 'unified_profiles'::regclass"
        )
        assert rls.fetchone() == (False,)


def test_the_files_run_by_psql_and_the_core_again_unharmed(empty_database: str) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("psql is not installed")
    files = sorted(FOLDER.glob("*.sql"))
    for path in (*files, files[0]):
        done = subprocess.run(
            [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(path), empty_database],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert set(TABLES) <= tables_of(empty_database)


def test_every_down_block_is_empty() -> None:
    for path in FOLDER.glob("*.sql"):
        assert path.read_text().partition("-- migrate:down")[2].strip() == "", path.name


def test_a_migration_that_fails_leaves_nothing_and_says_why(
    empty_database: str, tmp_path: Path
) -> None:
    (tmp_path / "20260101000000_bad.sql").write_text(
        "-- migrate:up\nCREATE TABLE half (a int);\nSELECT nonsense;\n-- migrate:down\n"
    )
    with pytest.raises(MigrationError, match="nonsense"):
        migrate(empty_database, folder=tmp_path)
    assert "half" not in tables_of(empty_database)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:topsecret@h/d", "scheme is 'mysql'"),
        ("postgresql://u:topsecret@127.0.0.1:1/d", "connection refused"),
        ("postgresql://u:topsecret@127.0.0.1:1", "names no database"),
        ("postgresql://u:topsecret@h/d?sslmod=require", "no parameter 'sslmod'"),
        ("topsecret", "not a URL"),
    ],
)
def test_a_url_that_does_not_work_is_explained_without_its_password(url: str, said: str) -> None:
    with pytest.raises(MigrationError, match=re.escape(said)) as caught:
        migrate(url)
    assert "topsecret" not in str(caught.value)


def test_a_wrong_password_is_explained_without_it(empty_database: str) -> None:
    with pytest.raises(MigrationError) as caught:
        migrate(as_role(empty_database, "nobody_of_that_name", "top secret@"))
    assert "nobody_of_that_name" in str(caught.value)
    assert "top" not in str(caught.value).replace("stop", "")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg2", "postgresql+psycopg"])
def test_urls_of_other_libraries_work(empty_database: str, scheme: str) -> None:
    assert migrate(empty_database.replace("postgresql", scheme, 1))


def test_a_missing_tool_is_explained(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(MigrationError, match="dbmate"):
        migrate(empty_database)


# ---- what the migrations make -------------------------------------------------------------------


def documented() -> dict[str, tuple[dict[str, str], set[str]]]:
    """Columns with types, and indexed columns, of each table of the design."""
    if not DESIGN.exists():
        pytest.skip("the design's list of columns is not beside the checkout")
    tables: dict[str, tuple[dict[str, str], set[str]]] = {}
    names: dict[str, str] = {}
    for line in DESIGN.read_text().splitlines():
        if line.startswith("**unified_profiles"):
            break
        if heading := re.match(r"## (shopify_\w+) · indexes: (.*)", line):
            names = {"id": "uuid"}
            tables[heading[1]] = names, set(re.findall(r"\*\*(\w+)\*\*", heading[2]))
        elif line.startswith("| ") and names and not line.startswith(("| column", "|---")):
            cells = [cell.strip() for cell in line.split("|")]
            columns = re.findall(r"[a-z_]+", re.sub(r"\(r\)|\*\*", "", cells[1]))
            kinds = re.findall(r"[A-Z]+(?:\[\])?(?: UNIQUE)?", cells[2].replace("NULL", ""))
            for place, column in enumerate(columns):
                names[column] = (kinds[place] if len(kinds) == len(columns) else kinds[0]).lower()
    return tables


SPELLED = {"timestamptz": "timestamp with time zone", "int4": "integer"}


@pytest.mark.parametrize("table", TABLES)
def test_columns_and_indexes_are_those_of_the_design(database_url: str, table: str) -> None:
    columns, indexed = documented()[table]
    for name in ("deleted_at", "synced_at", "observed_at", "complete_at"):
        columns[name] = "timestamptz"
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
            " col_description(a.attrelid, a.attnum) FROM pg_attribute a"
            " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
            [f"public.{table}"],
        ).fetchall()
        first_indexed = connection.execute(
            "SELECT a.attname, i.indisunique FROM pg_index i JOIN pg_attribute a"
            " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"
            " WHERE i.indrelid = %s::regclass AND i.indpred IS NULL AND m.amname = 'btree'",
            [f"public.{table}"],
        ).fetchall()
    key = next(name for name, kind in columns.items() if "unique" in kind)
    for name, kind in columns.items():
        base = kind.removesuffix(" unique")
        columns[name] = SPELLED.get(base, base)
    assert {name: kind for name, kind, _, _ in found} == columns
    assert {name for name, _, not_null, _ in found if not_null} == {"id", key}
    assert all(comment for _, _, _, comment in found)
    assert sorted(name for name, _ in first_indexed) == sorted({"id", *indexed})
    assert {name for name, unique in first_indexed if unique} == {"id", key}


OURS = (
    "(c.relnamespace = 'shopify_internal'::regnamespace OR c.oid::regclass::text ~ '^shopify_')"
    " AND c.relname <> 'schema_migrations'"
)


def test_every_table_of_ours_has_row_security(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        open_ones = connection.execute(
            f"SELECT c.oid::regclass::text FROM pg_class c WHERE {OURS}"
            " AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity"
        )
        assert open_ones.fetchall() == []


def test_every_table_view_and_column_of_ours_has_a_comment(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        bare = connection.execute(
            "SELECT c.oid::regclass::text, a.attname FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            f" WHERE {OURS} AND c.relkind IN ('r', 'p', 'v')"
            " AND (obj_description(c.oid) IS NULL"
            # A partition's columns are its parent's.
            " OR (NOT c.relispartition AND col_description(c.oid, a.attnum) IS NULL))"
        )
        assert bare.fetchall() == []


@pytest.mark.parametrize("outsider", ["anon", "authenticated"])
def test_outsiders_of_supabase_get_nothing(empty_database: str, outsider: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            f"DO $$ BEGIN CREATE ROLE {outsider}; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
        connection.execute(
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {outsider}"
        )
        migrate(empty_database)
        connection.execute(f"SET ROLE {outsider}")
        for table in (*TABLES, "unified_profiles"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM public.{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM shopify_internal.checkpoints")


def test_the_reader_reads_every_row_of_the_data_tables_and_nothing_else(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO shopify_products (shopify_product_id) VALUES (1)")
        connection.execute("SET ROLE shopify_reader")
        counted = connection.execute("SELECT count(*) FROM shopify_products").fetchone()
        assert counted == (1,)
        for statement in (
            "DELETE FROM shopify_products",
            "SELECT * FROM shopify_internal.refresh_queue",
            "SELECT * FROM unified_profiles",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_uuids_are_of_version_7_and_ordered_by_time(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        found: list[uuid.UUID] = []
        for _ in range(5):
            row = connection.execute(
                "SELECT shopify_internal.uuid7(), extract(epoch FROM clock_timestamp()) * 1000"
            ).fetchone()
            assert row is not None
            made, now = row
            assert (made.version, made.variant) == (7, uuid.RFC_4122)
            assert abs((made.int >> 80) - float(now)) < 1000
            found.append(made)
            connection.execute("SELECT pg_sleep(0.003)")
    assert found == sorted(found)
    assert len(set(found)) == 5
