docker network create prefect-server-network
docker network create --internal prefect-database-network
for v in prefect-postgres prefect-artifacts prefect-caddy; do docker volume create $v; done
cd /var/lib/provision/prefect/server
docker compose up -d --wait postgres
docker compose run --rm migrate
docker compose up -d --wait server
docker exec prefect-server python -m provision_glue.pool "$POOL"
docker compose up -d --wait caddy
