-- DropIndex
DROP INDEX "oauth_app_secrets_app_id_created_at_idx";

-- CreateIndex
CREATE INDEX "oauth_app_secrets_app_id_expires_at_idx" ON "oauth_app_secrets"("app_id", "expires_at" DESC);
